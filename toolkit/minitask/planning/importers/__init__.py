"""Plans of other tools become specs: `import_plan.import_plan` reads, writes and reports."""
