"""From annotated documents to a data set, a trained model and honest scores."""
