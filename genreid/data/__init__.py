"""Images and what is known of them: the manifest, loading, transforms, samplers, batches."""
