"""The examples of a store that clients fill, and of a policy that robots ask."""

from scripts import Script


def test_transitions_arrive_in_one_process() -> None:
    with Script("run_data_store.py", "--transitions", 60, "--rate", 1000) as both:
        assert both.printed(r"client: (\d+) transitions arrived")[1] == "60"
        assert both.ended() == 0


def test_transitions_of_two_clients_arrive_in_the_store_of_a_server() -> None:
    sending = ("--transitions", 60, "--rate", 1000)
    with Script("run_data_store.py", "--server", "--port", 0) as server:
        port = server.printed(r"server: at tcp://.*:(\d+)")[1]
        for _ in range(2):
            with Script("run_data_store.py", "--client", "--port", port, *sending) as client:
                assert client.ended() == 0
        server.printed("server: 120 transitions")


def test_transitions_reach_a_server_that_starts_anew() -> None:
    sending = ("--transitions", 200, "--rate", 100)
    with Script("run_data_store.py", "--server", "--port", 0) as server:
        port = server.printed(r"server: at tcp://.*:(\d+)")[1]
        with Script("run_data_store.py", "--client", "--port", port, *sending) as client:
            server.printed("server: [0-9]+ transitions")
            server.kill()
            with Script("run_data_store.py", "--server", "--port", port) as another:
                assert client.ended() == 0
                another.printed("server: 200 transitions")


def test_a_policy_is_asked_in_one_process() -> None:
    with Script("inference_server.py", "--steps", 5) as both:
        assert both.ended() == 0
    assert "there are act, look" in both.output
    assert "step 4: [" in both.output


def test_a_policy_is_asked_from_another_process() -> None:
    with Script("inference_server.py", "--server", "--port", 0) as server:
        port = server.printed(r"answering at tcp://.*:(\d+)")[1]
        with Script("inference_server.py", "--client", "--port", port, "--steps", 3) as client:
            assert client.ended() == 0
    assert "step 2: [" in client.output
