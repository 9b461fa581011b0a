"""Who knows the truth behind a data set: the default faces, or the coefficients in it."""

from meshgan.data.store import Store
from meshgan.data.synthetic.source import open_source
from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.recorded_source import RecordedSource
from meshgan.evaluation.source_oracle import ParametricSource


def find_source(store: Store) -> ParametricSource:
    """The parametric source of a data set.

    Default faces are made by a source that this package has. Any other data set may hold the
    coefficients that its faces were made from, as those drawn from a linear face model do; then
    the model is found again from them.

    Raises:
        InputError: nobody knows the truth; says why.
        ShapeError: the default faces have changed since the data set was built.
    """
    template = store.template
    if template.name.startswith("anny_"):
        return default_source(template.name, template.topology_hash)
    try:
        return RecordedSource.fit(store)
    except InputError as error:
        raise InputError(
            f"oracle: not available for {store.path}, as the truth behind its faces is not known: "
            f"{error}"
        ) from error


def default_source(template_name: str, topology: str) -> ParametricSource:
    """The default faces on the template that a store names.

    Args:
        template_name: ``store.template.name``.
        topology: ``store.template.topology_hash``.

    Raises:
        InputError: the template is not one of the default faces.
        ShapeError: it was, but the default faces have changed since.
    """
    try:
        source = open_source(template_name.removeprefix("anny_"))
    except InputError as error:
        raise InputError(
            f'metrics: the oracle finds no default faces on "{template_name}"; leave it out for '
            "other data"
        ) from error
    if source.template.topology_hash != topology:
        raise ShapeError(
            f"metrics: the data have topology {topology}, the default faces now "
            f"{source.template.topology_hash}; build the data set again (meshgan data build)"
        )
    return source
