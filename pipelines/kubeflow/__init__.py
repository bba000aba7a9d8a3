"""Kubeflow: where and how the steps run on a cluster, and how runs are started, followed and scheduled there."""
