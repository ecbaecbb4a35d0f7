"""The snippets of edgeml's README, and what must be edited to make each run at all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """What is written instead, and why; docs/agentlace.md lists the reasons."""

    old: str
    new: str
    why: str


@dataclass(frozen=True)
class Snippet:
    """Code as it is printed, indented as it must have been."""

    code: str
    edits: tuple[Edit, ...] = ()

    @property
    def edited(self) -> str:
        """The code that runs; every edit is needed."""
        code = self.code
        for edit in self.edits:
            assert code.count(edit.old) == 1, edit.old
            code = code.replace(edit.old, edit.new)
        return code


GPU_CLIENT = Snippet(
    """
model = load_model()
agent = edgeml.ActionClient('localhost', 6379, task_id='mnist', config=agent_config)
for _ in range(100):
    observation = agent.obs()
    prediction = model.predict(observation)
    agent.act("send", prediction)
""",
    (
        Edit(
            "'localhost', 6379, task_id='mnist', config=agent_config",
            "'localhost', config=agent_config, timeout_ms=30_000",
            "`ActionClient` takes no port and no `task_id`: the port is the config's",
        ),
        Edit('"send"', '"move"', 'the server\'s config has no action "send", but "move"'),
    ),
)

EDGE_SERVER = Snippet(
    """
def action_callback(key, action):
    # TODO: process action here
    return {"status": "received"}

def observation_callback(keys):
    # TODO: return the desired observations here
    return {"cam1": "some_value"}

config = edgeml.ActionConfig(port_number=6379, action_keys=['move'], observation_keys=['cam1'])
agent_server = edgeml.ActionServer(config, observation_callback, action_callback)
agent_server.start()
"""
)

INFERENCE_SERVER = Snippet(
    """
def predict(payload):
    # TODO: do some prediction based on payload
    return {"prediction": "some_value"}

inference_server = edgeml.InferenceServer(port_num=6379)
inference_server.register_interface("voice_reg", predict)
inference_server.register_interface("face_reg", predict)
inference_server.start()
"""
)

INFERENCE_CLIENT = Snippet(
    """
client = edgeml.InferenceClient('localhost', 6379)
res = client.call("voice_reg", {"audio": "serialized_audio"})
"""
)

AGENT = Snippet(
    """
env = gym.make('CartPole-v0')
observation = env.reset()

# create data store and register to trainer client
data_store = edgeml.data.ReplayBuffer(capacity=2)
trainer_client = edgeml.TrainerClient(
    "agent1", 'localhost', TrainerConfig(), data_store)
agent = make_agent() # Arbitrary RL agent

# register callback function to receive new weights
def _recv_weights(new_weights):
    nonlocal agent
    agent.update_weights(new_weights)

trainer_client.recv_network_callback(_recv_weights)
# automatically update datastore every 10 seconds
trainer.client.start_async_update(interval=10)

# Run training steps
while True:
    action = agent.get_action(observation)
    _data_point = env.step(action)
    data_store.insert(_data_point)
""",
    (
        Edit(
            "CartPole-v0",
            "CartPole-v1",
            "Gymnasium, which took gym's place, calls CartPole-v0 out of date",
        ),
        Edit(
            "observation = env.reset()",
            "observation, _ = env.reset()",
            "in Gymnasium `reset` returns the observation and infos",
        ),
        Edit(
            "TrainerConfig(), data_store)",
            "edgeml.TrainerConfig(), data_store)",
            "`TrainerConfig` is not defined: `edgeml.TrainerConfig`",
        ),
        Edit("    nonlocal agent\n", "", "`nonlocal` outside a function is a syntax error"),
        Edit("trainer.client.", "trainer_client.", "`trainer` is not defined: `trainer_client`"),
        Edit("while True:", "while is_needed():", "it never ends"),
        Edit(
            "    data_store.insert(_data_point)",
            "    following, reward, terminated, truncated, _ = _data_point\n"
            "    data_store.insert({'observations': observation, 'actions': action,\n"
            "                       'rewards': reward, 'masks': 1.0 - terminated})\n"
            "    observation = env.reset()[0] if terminated or truncated else following",
            "a replay buffer keeps dicts of arrays and numbers, not what `step` returns; "
            "and episodes end",
        ),
    ),
)

TRAINER = Snippet(
    """
trainer_server = edgeml.TrainerServer(edgeml.TrainerConfig())

# create datastore in server
data_store = edgeml.data.ReplayBuffer(capacity=2)
trainer_server.register_data_store("agent1", data_store)
trainer_server.start(threaded=True)

while True:
    time.sleep(10) # every 10 seconds
    _data = data_store.sample(...) # sample data from datastore
    new_weights = AGENT.train(_data)
    trainer_server.publish_network(new_weights)
""",
    (
        Edit("while True:", "while is_needed():", "it never ends"),
        Edit("sample(...)", "sample(batch_size=2)", "`...` stands for the size of a batch"),
    ),
)

ALL = {
    "GPU compute as client": GPU_CLIENT,
    "Edge device as server": EDGE_SERVER,
    "Inference server": INFERENCE_SERVER,
    "Inference client": INFERENCE_CLIENT,
    "Agent": AGENT,
    "Trainer": TRAINER,
}
