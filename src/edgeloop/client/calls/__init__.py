"""What a loop can be asked: functions that build a Call, a file per resource."""
