"""The LeRobotDataset layout v3.0, with images inside the parquet files."""
