"""Import other tools' plans as specs: `import_plan.import_plan` reads a plan, writes its specs and reports."""
