"""Events of the domain legacy."""
