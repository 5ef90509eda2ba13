# The agent that `make install` laid beside this folder, for one system; null if there is none.
system:
let file = ../agents + "/${system}/activate";
in if builtins.pathExists file then file else null
