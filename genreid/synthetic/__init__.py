"""The embedded benchmark: persons rendered from the open body, before surveillance cameras.

The modules of this folder are its doors: `settings` says how large it is, `plan` who is seen where,
`benchmark` draws it, `truth` keeps what is known of every picture, and `stream` draws endlessly from another
world, to train on. Nobody outside imports the rooms behind them. Each takes what those above it have made,
from a person's identity to pixels:

    person      who somebody is: shape, skin, hair, clothes, a bag
    clothes     the same painted on a canvas, which follows the body into every pose
    figure      the posed body as a textured mesh, with the thickness of its clothes and what hangs on it
    camera      a lens, and the electronics behind it
    background  what stands before a lens, and the empty picture of it
    world       cameras with their backgrounds and spots to stand on; persons, dressed, who pass
    picture     one person, in the light of the place, cut out of what a camera sees

How people hold themselves: `genreid.body.poses`.
"""
