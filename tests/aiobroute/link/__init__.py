"""The link: the SKSTACK-IP codec and driver against what real modules wrote, and the port."""
