# What `activate wrap` does, for systems without an agent binary; in any POSIX shell.
PATH=${tools:+$tools:}/usr/bin:/bin

fail() {
    echo "deploy-swift: error: $1" >&2
    exit 1
}

for tool in mkdir ln chmod cat; do
    command -v "$tool" >/dev/null ||
        fail "no agent binary for $system, and no $tool in this sandbox: install the agent, or wrap a base from nixpkgs"
done
[ -d "$base" ] || fail "$base is not a folder: a profile links to what its base holds; put the file into a folder, as in bin/"

mkdir "$out"
for entry in "$base"/* "$base"/.[!.]* "$base"/..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue # a pattern that matched nothing
    case ${entry##*/} in
        deploy-rs-activate | activate-rs)
            fail "$base already holds ${entry##*/}: it has been made activatable before; wrap what it was made of instead" ;;
    esac
    ln -s "$entry" "$out/${entry##*/}"
done
cat "$scriptPath" >"$out/deploy-rs-activate"
chmod 0555 "$out/deploy-rs-activate"
