"""Metrics of models and data sets, under one name: ``from meshgan import metrics``."""

from meshgan.evaluation.compactness import compactness
from meshgan.evaluation.coverage import coverage
from meshgan.evaluation.decoupling import data_decoupling, decoupling
from meshgan.evaluation.distances import mean_vertex_distance
from meshgan.evaluation.diversity import data_diversity, model_diversity
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.generalisation import generalisation
from meshgan.evaluation.interpolation import interpolation
from meshgan.evaluation.memorisation import memorisation
from meshgan.evaluation.oracle import Oracle
from meshgan.evaluation.quality import QualityMeter
from meshgan.evaluation.reconstruction import sparse_reconstruction
from meshgan.evaluation.source_oracle import source_decoupling
from meshgan.evaluation.specificity import model_specificity, specificity
from meshgan.evaluation.transfer_error import model_transfer, transfer_errors

__all__ = [
    "Estimate",
    "Oracle",
    "QualityMeter",
    "compactness",
    "coverage",
    "data_decoupling",
    "data_diversity",
    "decoupling",
    "generalisation",
    "interpolation",
    "mean_vertex_distance",
    "memorisation",
    "model_diversity",
    "model_specificity",
    "model_transfer",
    "source_decoupling",
    "sparse_reconstruction",
    "specificity",
    "transfer_errors",
]
