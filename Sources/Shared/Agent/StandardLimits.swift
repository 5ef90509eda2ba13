/// How long things may take where nobody has said otherwise.
public enum StandardLimits {
    /// Seconds for an activation that something waits for, and for one that puts a generation back; deploy-rs's number.
    public static let activation = 240
    /// Seconds after which whatever moves a profile's link is ended.
    public static let link = 300
    /// Seconds for all tries of a health check.
    public static let health = 30
    /// Seconds that a node may take to reboot until it can be logged in to again.
    public static let reboot = 600
    /// Seconds from one ``AgentEvent/alive`` to the next.
    public static let heartbeat = 2
}
