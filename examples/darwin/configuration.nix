{
  environment.etc."greeting".text = "hello\n";
  system.stateVersion = 6;
}
