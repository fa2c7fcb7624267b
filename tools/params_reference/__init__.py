"""What params.yaml may hold, told once: comments, params.schema.json, docs/params.md.

    python -m tools.params_reference           rewrite params.yaml's comments and the two others
    python -m tools.params_reference --check   fail where one is out of date

What a key is stands below its field in the settings class: a first sentence, with the unit in square brackets
(`[px]`), then more. Its values are those of the field's annotation, its default is that in params.yaml, and
the stages that it runs again are those of dvc.yaml. The paper's values are in `paper.yaml` beside this file.
"""
