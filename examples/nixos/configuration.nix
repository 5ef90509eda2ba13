# What both systems have in common: put your own hardware, users and services here.
{
  fileSystems."/" = { device = "/dev/disk/by-label/nixos"; fsType = "ext4"; };
  boot.loader.systemd-boot.enable = true;
  services.openssh.enable = true;
  users.users.root.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA… you@laptop" ];
  environment.etc."greeting".text = "hello\n";
  system.stateVersion = "25.05";
}
