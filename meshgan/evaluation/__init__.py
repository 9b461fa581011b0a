"""Metrics of models and data sets, under one name: ``from meshgan import metrics``."""

from meshgan.evaluation.distances import mean_vertex_distance
from meshgan.evaluation.diversity import data_diversity, model_diversity
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.oracle import Oracle
from meshgan.evaluation.quality import QualityMeter
from meshgan.evaluation.source_oracle import source_decoupling
from meshgan.evaluation.specificity import model_specificity

__all__ = [
    "Estimate",
    "Oracle",
    "QualityMeter",
    "data_diversity",
    "mean_vertex_distance",
    "model_diversity",
    "model_specificity",
    "source_decoupling",
]
