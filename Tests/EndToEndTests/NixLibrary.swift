import Testing

/// Everything in `lib/` and `flake.nix`, on real Nix; one test at a time, for they share a store.
@Suite(
    .serialized, .timeLimit(.minutes(10)),
    .enabled(if: NixLibraryStore.obstacle == nil, "\(NixLibraryStore.obstacle ?? "")"))
enum NixLibrary {}
