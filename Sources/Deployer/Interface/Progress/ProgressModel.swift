import Shared

/// How far a run is: a value that events change and that displays read.
///
/// Times are durations since the run began.
struct ProgressModel: Sendable {
    /// An activity that lasts or has ended.
    struct Span: Sendable, Equatable {
        var activity: Activity
        var start: Duration
        /// Nil while it lasts.
        var end: Duration?
        /// Bytes that went to the node meanwhile.
        var bytes = 0
    }

    /// One node of the plan.
    struct Node: Sendable {
        var name: NodeName
        var profiles: [ProfileName]
        /// The activities that last, in the order in which they began.
        var open: [Span] = []
        /// Of the copy that lasts, or lasted last.
        var sent = RateMeter()
        var settled: Set<ProfileName> = []
        /// Whether anything has begun on it.
        var isTouched = false
        /// Why it could not be made ready; nil while it may be.
        var failure: (any Error)?

        var hasFailed: Bool { failure != nil }
        /// False until it is known what it gets.
        var isDone: Bool { !profiles.isEmpty && settled.count >= profiles.count }
    }

    /// One profile of a node.
    struct Profile: Sendable {
        var previous: Generation?
        /// Whether the node has told ``previous``.
        var hasStarted = false
        /// When the node rolls back unless confirmed; nil unless it waits for that.
        var deadline: Duration?
        /// How long it was worked on, from its activation's begin to its outcome.
        var time: Duration?
        var began: Duration?
    }

    struct ProfileKey: Sendable, Hashable {
        var node: NodeName
        var profile: ProfileName
    }

    /// The activities of the run as a whole that last.
    private(set) var open: [Span] = []
    private(set) var counts: [Activity: BuildCounts] = [:]
    /// In the plan's order, once it is known.
    private(set) var nodes: [Node] = []
    private(set) var profiles: [ProfileKey: Profile] = [:]
    /// Every activity that has ended, in the order of its end.
    private(set) var ended: [Span] = []
    private var places: [NodeName: Int] = [:]

    mutating func apply(_ event: ProgressEvent, at time: Duration) {
        switch event {
        case .planned(let plan): add(plan)
        case .began(let activity): begin(activity, time)
        case .ended(let activity): end(activity, time)
        case .counted(let counts, let activity): self.counts[activity] = counts
        case .sent(let count, let node): send(count, node, time)
        case .started(let activity, let previous):
            update(activity) {
                $0.previous = previous
                $0.hasStarted = true
            }
        case .awaiting(let activity, let seconds): update(activity) { $0.deadline = time + .seconds(seconds) }
        case .failed(let node, let error): nodes[add(node, [])].failure = error
        case .settled(let result): settle(result, time)
        }
    }

    func profile(_ node: NodeName, _ profile: ProfileName) -> Profile? {
        profiles[ProfileKey(node: node, profile: profile)]
    }

    // MARK: Activities

    private mutating func begin(_ activity: Activity, _ time: Duration) {
        let span = Span(activity: activity, start: time)
        guard let node = activity.node else { return open.append(span) }
        let place = add(node, [])
        nodes[place].open.append(span)
        nodes[place].isTouched = true
        nodes[place].failure = nil
        if activity.phase == .copy { nodes[place].sent = RateMeter() }
        update(activity) { if $0.began == nil { $0.began = time } }
    }

    private mutating func end(_ activity: Activity, _ time: Duration) {
        guard let node = activity.node, let place = places[node] else {
            if let span = Self.take(activity, from: &open, time) { ended.append(span) }
            return
        }
        if let span = Self.take(activity, from: &nodes[place].open, time) { ended.append(span) }
    }

    private static func take(_ activity: Activity, from spans: inout [Span], _ time: Duration) -> Span? {
        guard let index = spans.lastIndex(where: { $0.activity == activity }) else { return nil }
        var span = spans.remove(at: index)
        span.end = time
        return span
    }

    private mutating func send(_ count: Int, _ node: NodeName, _ time: Duration) {
        guard let place = places[node] else { return }
        nodes[place].sent.add(count, at: time)
        if let index = nodes[place].open.indices.last { nodes[place].open[index].bytes += count }
    }

    // MARK: Nodes and profiles

    /// Puts the nodes into the plan's order: those that are looked at already came as they began.
    private mutating func add(_ plan: Plan) {
        for node in plan.nodes { add(node.name, node.profiles.map(\.name)) }
        let planned = plan.nodes.compactMap { places[$0.name] }
        let others = Set(nodes.indices).subtracting(planned).sorted()
        nodes = (planned + others).map { nodes[$0] }
        for (place, node) in nodes.enumerated() { places[node.name] = place }
    }

    @discardableResult
    private mutating func add(_ node: NodeName, _ profiles: [ProfileName]) -> Int {
        let place = places[node] ?? nodes.count
        if place == nodes.count {
            nodes.append(Node(name: node, profiles: []))
            places[node] = place
        }
        nodes[place].profiles += profiles
        return place
    }

    private mutating func update(_ activity: Activity, _ change: (inout Profile) -> Void) {
        guard let node = activity.node, let profile = activity.profile else { return }
        change(&profiles[ProfileKey(node: node, profile: profile), default: Profile()])
    }

    private mutating func settle(_ result: ProfileResult, _ time: Duration) {
        let (node, name) = (result.profile.node, result.profile.name)
        guard let place = places[node] else { return }
        for span in nodes[place].open.reversed() where span.activity.profile == name { end(span.activity, time) }
        nodes[place].settled.insert(name)
        update(Activity(.activation, node: node, profile: name)) {
            $0.deadline = nil
            if let began = $0.began { $0.time = time - began }
        }
    }
}
