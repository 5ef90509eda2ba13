# What `activate check-activate` does, for systems without an agent binary; with the shell's own commands only.
status=0
while read -r path label || [ -n "$path" ]; do
    # A plain NixOS system needs no script of ours.
    if [ ! -e "$path/deploy-rs-activate" ] && [ -x "$path/bin/switch-to-configuration" ]; then continue; fi
    if [ ! -x "$path/deploy-rs-activate" ]; then
        echo "deploy-swift: error: $label: $path holds no executable deploy-rs-activate;" \
            "wrap it with lib.<system>.activate.custom, .nixos, .home-manager, .darwin or .noop" >&2
        status=1
    fi
done <"$profilesPath"
[ "$status" = 0 ] && echo "all profiles can be activated" >"$out"
exit "$status"
