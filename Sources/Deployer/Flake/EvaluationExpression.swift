/// The Nix function that reduces a `deploy` attribute to what was asked for, in a form that JSON always holds.
///
/// Only what was asked for is forced; of unknown attributes only the names. Values of an unexpected type come back
/// as `{ type = …; }`, so that the decoder can name the attribute. Runs on Nix 2.8 and later.
enum EvaluationExpression {
    /// For `nix eval --apply`: `deploy: …`.
    ///
    /// - Parameter marker: in front of what is traced: each node's settings before any closure is evaluated, ``done`` once a
    ///   node's closures are, and ``place`` with a path below `deploy` where the work there begins; nothing if nil
    static func apply(_ request: EvaluationRequest, marker: String? = nil) throws -> String {
        "deploy: let asked = builtins.fromJSON \(NixText.string(try request.json)); "
            + "in (\(reduce)) \(nixText(marker)) asked deploy"
    }

    /// For `nix-instantiate -E`, together with ``fileArguments(_:)``: a function, so that `--arg` reaches the file.
    static func file(_ path: String, marker: String? = nil) -> String {
        "\(root(path)) (\(reduce)) \(nixText(marker)) (builtins.fromJSON args.\(askedArgument)) root.deploy"
    }

    /// An argument of ours must be there: without any, `nix-instantiate --eval` does not call a function.
    static func fileArguments(_ request: EvaluationRequest) throws -> [String] {
        ["--argstr", askedArgument, try request.json]
    }

    /// For `nix-build -E`: the file's checks for this system, none if it has none.
    static func checks(_ path: String) -> String {
        "\(root(path)) (root.checks or { }).${builtins.currentSystem} or { }"
    }

    /// The head of a function of `--arg`'s arguments in which `root` is the file's attribute set.
    private static func root(_ path: String) -> String {
        "{ ... }@args: let file = import \(NixText.string(path)); "
            + "root = if builtins.isFunction file "
            + "then file (builtins.intersectAttrs (builtins.functionArgs file) args) else file; in"
    }

    /// What is traced of a node that is evaluated.
    static let done = "done"
    /// What is traced in front of a list of attribute names.
    static let place = "at "

    private static let askedArgument = "deploySwiftAsked"

    private static func nixText(_ marker: String?) -> String { marker.map(NixText.string) ?? "null" }

    private static let reduce = """
        marker: asked: deploy:
        let
          show = value:
            let type = builtins.typeOf value; in
            if builtins.elem type [ "null" "bool" "int" "string" ] then value
            else if type == "list" then map (one: if builtins.isList one then { type = "list"; } else show one) value
            else if isText value then "${value}"
            else { inherit type; };
          isText = value: builtins.isAttrs value && (value ? outPath || value ? __toString);
          level = shown: structural: set: {
            type = builtins.typeOf set;
          } // (if !builtins.isAttrs set then { } else {
            values = builtins.mapAttrs (_: show) (pick shown set);
            unknown = builtins.filter (name: !(builtins.elem name (shown ++ structural))) (builtins.attrNames set);
          });
          pick = names: set: if names == null then set else builtins.intersectAttrs
            (builtins.listToAttrs (map (name: { inherit name; value = null; }) names)) set;
          children = key: names: make: set:
            let
              inner = set.${key} or null;
              isSet = builtins.isAttrs inner;
            in {
              childrenType = builtins.typeOf inner;
              names = if isSet then builtins.attrNames inner else [ ];
              children = if isSet then builtins.mapAttrs make (pick names inner) else { };
            };
          at = path: value:
            if marker == null then value else builtins.trace "${marker}\(place)${builtins.toJSON path}" value;
          plain = level \(NixText.list(AttributeLevel.profile.shown)) [ "path" ];
          settings = node: name: set: at [ "nodes" node "profiles" name ] (plain set);
          # The place comes first: which side of // is evaluated first depends on the version.
          profile = node: name: set: at [ "nodes" node "profiles" name ]
            (plain set // (if builtins.isAttrs set && set ? path then closure set.path else { }));
          closure = value:
            if builtins.isString value || builtins.isPath value || isText value then
              let
                path = "${value}";
                context = builtins.getContext path;
                wanted = builtins.filter (key: context.${key} ? outputs) (builtins.attrNames context);
              in {
                inherit path;
                derivations = builtins.mapAttrs (_: entry: entry.outputs) (pick wanted context);
              }
            else { pathType = builtins.typeOf value; };
          # Children come before values where a set is gone through by name: a place is told for each.
          node = profile: name: set: at [ "nodes" name ]
            (parent [ "nodes" name ] (level \(NixText.list(AttributeLevel.node.shown)) [ "profiles" ] set)
              // (if builtins.isAttrs set
                then children "profiles" (if asked == null then null else asked.${name}) (profile name) set else { }));
          answer = make: names: parent [ ] (level \(NixText.list(AttributeLevel.deploy.shown)) [ "nodes" ] deploy)
            // (if builtins.isAttrs deploy then children "nodes" names make deploy else { });
          parent = path: own: own // (if own ? values then { values = at path own.values; } else { });
          finished = name: set:
            let value = node profile name set; in
            if marker == null then value
            else builtins.seq (builtins.deepSeq value (builtins.trace "${marker}\(done)" null)) value;
          chosen = if asked == null then null else builtins.attrNames asked;
          nodes = if builtins.isAttrs deploy && builtins.isAttrs (deploy.nodes or null) then pick chosen deploy.nodes else { };
          told = builtins.foldl'
            (done: name: builtins.trace "${marker}${builtins.toJSON (answer (node settings) [ name ] // { names = [ name ]; })}" done)
            null (if marker == null then [ ] else builtins.attrNames nodes);
        in
        builtins.seq told (answer finished chosen // { inherit (builtins) nixVersion; })
        """
}
