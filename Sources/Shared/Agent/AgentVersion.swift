/// What the agent of this version prints for `--version`, without the line feed.
///
/// An agent that is installed on a node instead of being sent must say exactly this.
public let agentVersion = "deploy-swift activate 0.1.0"
