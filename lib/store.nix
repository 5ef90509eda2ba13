# Whatever a user may name a thing in the store by, as a string that Nix knows to be a dependency.
let
  hash = "[0-9a-z]{32}-";

  # The store path that a text begins with; null if it begins with none.
  top = text:
    let found = builtins.match "(${builtins.storeDir}/${hash}[^/]+).*" text;
    in if found == null then null else builtins.head found;

  # "/nix/store/…" written out has no context: without one a sandboxed build would not see it.
  withContext = text:
    if builtins.hasContext text || top text == null then text
    else builtins.appendContext text { ${top text}.path = true; };
in
rec {
  # A derivation, a path (which is copied) or a string.
  string = thing: withContext "${thing}";

  # The same, where it must lie in the store: links to anything else would lead nowhere on a node.
  path = thing:
    let text = string thing;
    in if top text != null then text else throw "deploy-swift: ${text} is not in the Nix store: a profile can hold only what is";

  # A derivation's name, else the last part of the path, less a hash and what names in the store may not hold.
  name = thing:
    let
      base = baseNameOf (builtins.unsafeDiscardStringContext (toString thing));
      bare = builtins.match "${hash}(.+)" base;
      parts = builtins.split "[^A-Za-z0-9+._?=-]+" (if bare == null then base else builtins.head bare);
    in thing.name or (builtins.concatStringsSep "-" (builtins.filter builtins.isString parts));

  # Alone, not as a part of the flake around it: a closure depends on the agent's bytes and on nothing else.
  agent = file:
    if builtins.isString file && top file != null then withContext file
    else builtins.path { path = file; name = "activate"; };
}
