"""The gRPC side of ClinicalService."""
