# The rules of CheckSchemaRules.swift in Nix, for systems without an agent binary: a line for each problem, sorted.
data:
let
  root = builtins.fromJSON (builtins.readFile ../interface.json);

  typeNames = {
    string = "a string"; bool = "a boolean"; int = "a number"; float = "a number"; list = "a list"; null = "null";
    set = "an attribute set"; boolean = "a boolean"; integer = "an integer"; array = "a list";
    object = "an attribute set";
  };
  kind = type: value:
    if value ? __functor then "a function"
    else if type == "integer" && builtins.isFloat value then builtins.toJSON value
    else typeNames.${builtins.typeOf value};
  fits = type: value: {
    string = builtins.isString value;
    boolean = builtins.isBool value;
    integer = builtins.isInt value || builtins.isFloat value && value == builtins.floor value;
    array = builtins.isList value;
    object = builtins.isAttrs value && !(value ? __functor);
  }.${type};

  member = path: name:
    if builtins.match "[A-Za-z_][A-Za-z0-9_'-]*" name != null then "${path}.${name}"
    else "${path}.\"${builtins.replaceStrings [ "\"" "\\" "$" ] [ "\\\"" "\\\\" "\\$" ] name}\"";

  # Each rule: the keyword's value, the schema around it, the value and its path; gives a list of lines.
  rules = {
    "$ref" = rule: _: check root."$defs".${builtins.substring 8 (-1) rule};
    allOf = rule: _: value: path: builtins.concatMap (schema: check schema value path) rule;
    properties = rule: _: value: path: builtins.concatMap
      (name: check rule.${name} value.${name} (member path name))
      (builtins.attrNames (builtins.intersectAttrs rule value));
    additionalProperties = rule: schema: value: path: builtins.concatMap
      (name: check rule value.${name} (member path name))
      (builtins.attrNames (builtins.removeAttrs value (builtins.attrNames (schema.properties or { }))));
    items = rule: _: value: path: if !(builtins.isList value) then [ ] else builtins.concatLists (builtins.genList
      (index: check rule (builtins.elemAt value index) "${path}[${toString index}]")
      (builtins.length value));
    required = rule: _: value: path: map (name: "${path}: has no ${name}, which is required")
      (builtins.filter (name: !(value ? ${name})) rule);
    uniqueItems = _: _: value: path: map (text: "${path}: \"${text}\" is there twice")
      (builtins.filter (text: builtins.length (builtins.filter (other: other == text) value) > 1)
        (builtins.filter builtins.isString value));
    enum = rule: _: value: path:
      if builtins.elem value rule then [ ]
      else [ "${path}: expected ${builtins.concatStringsSep " or " rule}, found ${value}" ];
    minimum = rule: schema: value: path:
      if value >= rule && value <= schema.maximum then [ ]
      else [ "${path}: expected a number from ${toString rule} to ${toString schema.maximum}, found ${toString value}" ];
  };

  # One type, or a list of them.
  types = schema: if builtins.isList schema.type then schema.type else [ schema.type ];
  names = schema: builtins.concatStringsSep " or " (map (type: typeNames.${type}) (types schema));

  check = schema: value: path:
    if schema ? type && !(builtins.any (type: fits type value) (types schema))
    then [ "${path}: expected ${names schema}, found ${kind (builtins.head (types schema)) value}" ]
    else builtins.concatMap (keyword: rules.${keyword} schema.${keyword} schema value path)
      (builtins.attrNames (builtins.intersectAttrs rules schema));

  unique = lines: builtins.attrNames (builtins.listToAttrs (map (name: { inherit name; value = null; }) lines));
in
unique (check root data "deploy")
