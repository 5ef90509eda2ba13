# The text of deploy-rs-activate: one of three branches, as DRY_ACTIVATE and BOOT say.
{ interpreter, activation, dryActivate, boot }:
let
  quoted = text: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] text + "'";
  # Without a text of its own a branch shows what would be run, and runs nothing.
  show = "printf '%s\\n' ${quoted activation}";
  orShow = text: if text == null then show else text;
in
# Each branch begins with ":", for bash refuses one that is empty or holds only comments.
''
  #!${interpreter}
  set -euo pipefail
  if [[ ''${DRY_ACTIVATE:-} == 1 ]]; then
  :
  ${orShow dryActivate}
  elif [[ ''${BOOT:-} == 1 ]]; then
  :
  ${orShow boot}
  else
  :
  ${activation}
  fi
''
