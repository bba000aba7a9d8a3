"""What an MLflow server is told of runs and versions, where MLFLOW_TRACKING_URI names one.

Only this room knows MLflow. Whatever goes wrong over there is one line and no failure: what Sluice itself keeps stays
the truth.
"""
