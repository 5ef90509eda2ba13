# Whatever a user may name a thing in the store by, as a string that Nix knows to be a dependency.
let
  inStore = text: builtins.substring 0 (builtins.stringLength builtins.storeDir + 1) text == builtins.storeDir + "/";

  # The store path that a path below it begins with.
  top = text:
    let parts = builtins.split "/" (builtins.substring (builtins.stringLength builtins.storeDir + 1) (-1) text);
    in "${builtins.storeDir}/${builtins.head parts}";

  # "/nix/store/…" written out has no context: without one a sandboxed build would not see it.
  withContext = text:
    if builtins.hasContext text || !(inStore text) then text
    else builtins.appendContext text { ${top text}.path = true; };

  hash = "[0-9a-z]{32}-";
in
{
  # A derivation, a path (which is copied) or a string.
  path = thing: withContext "${thing}";

  # A derivation's name, else the last part of the path, less a hash and what names in the store may not hold.
  name = thing:
    let
      base = baseNameOf (builtins.unsafeDiscardStringContext (toString thing));
      bare = builtins.match "${hash}(.+)" base;
      parts = builtins.split "[^A-Za-z0-9+._?=-]+" (if bare == null then base else builtins.head bare);
    in thing.name or (builtins.concatStringsSep "-" (builtins.filter builtins.isString parts));

  # Alone, not as a part of the flake around it: a closure depends on the agent's bytes and on nothing else.
  agent = file:
    if builtins.isString file && inStore file then withContext file
    else builtins.path { path = file; name = "activate"; };
}
