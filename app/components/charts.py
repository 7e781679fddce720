"""What the studio's own charts have in common; those of a study are in `model.evaluation.report.curves`."""

from __future__ import annotations

import plotly.graph_objects as go

from model.evaluation.report.curves import styled

KEPT_COLOUR, DROPPED_COLOUR = "#0072B2", "#D57800"


def low_chart(figure: go.Figure, title: str) -> go.Figure:
    """Low, with the legend beside the title."""
    legend = {"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right", "yanchor": "auto"}
    return styled(figure, title, 300).update_layout(margin={"l": 50, "r": 10, "t": 44, "b": 44}, legend=legend)
