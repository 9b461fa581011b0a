"""Bridges to other libraries; none of them is needed to use meshgan."""
