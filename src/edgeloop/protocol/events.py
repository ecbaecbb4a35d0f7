"""Socket.IO event names between the loop and its nodes."""

UPDATE_TRAINER = "update_trainer"
UPDATE_TRAINING = "update_training"
UPDATE_EPOCH = "update_epoch"
BEGIN_TRAINING = "begin_training"
STOP_TRAINING = "stop_training"
ABORT_TRAINING = "abort_training"
RESTART = "restart"
