# The agent that `make install` laid beside this folder, for one system; null if there is none.
system:
let folder = ../agents + "/${system}";
in
# Under the name and in the shape that `deploy` ships it in: then it is one store path, and copied once.
if builtins.pathExists (folder + "/bin/activate")
then "${builtins.path {
  path = folder;
  name = "deploy-swift-agent";
  filter = path: type: type == "directory" || baseNameOf (dirOf path) == "bin";
}}/bin/activate"
else if builtins.pathExists (folder + "/activate")
then "${builtins.path { path = folder + "/activate"; name = "activate"; }}"
else null
