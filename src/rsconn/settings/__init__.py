"""What was asked for: config, claims, ROIs and strategies, validated once into frozen objects."""
