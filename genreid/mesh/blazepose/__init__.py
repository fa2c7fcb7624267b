"""Bodies of photographs out of BlazePose's landmarks, without a licensed file."""
