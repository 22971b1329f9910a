internal import TesseraCore

/// The tasks of ``FedBuff`` that are under way, with the models that they began from: what lasts from buffer to buffer.
struct FlightLine {
  /// A task at a site.
  struct Flight: Codable, Hashable {
    var number: Int
    /// The site's index.
    var site: Int
    /// How many steps the model had taken that it began from.
    var version: Int
    /// When it is done, in virtual time.
    var end: Double
  }

  private struct Saved: Codable {
    var version = 0
    var nextNumber = 0
    var time = 0.0
    var flights: [Flight] = []
  }

  private static let document = "fedbuff"
  private static func memory(_ version: Int) -> String { "fedbuff-\(version)" }

  private let workflow: FedBuff
  private let controller: Controller
  private let global: Exchange
  private var saved: Saved
  private var models: [Int: ModelState]
  /// What is being computed, of virtual flights: they have left ``Saved/flights``, so that their sites are idle again.
  private var landing: [Int: Flight] = [:]

  /// How many steps the model has taken.
  var version: Int { saved.version }

  init(_ state: WorkflowState, workflow: FedBuff, controller: Controller) throws {
    self.workflow = workflow
    self.controller = controller
    global = state.global
    saved = try state.document(Self.document) ?? Saved()
    models = [saved.version: state.model]
    for flight in saved.flights where models[flight.version] == nil {
      guard let model = state.memory[Self.memory(flight.version)],
        controller.sites.indices.contains(flight.site)
      else {
        throw FederationError(
          code: .cannotResume,
          message: "the state lacks the model or the site of task \(flight.number) of FedBuff"
        )
      }
      models[flight.version] = model
    }
    if case .virtual(let time) = workflow.arrival { try time.check(for: controller.sites) }
  }

  func staleness(of flight: Flight) -> Int { saved.version - flight.version }

  func model(of flight: Flight) -> ModelState { models[flight.version] ?? .empty }

  func checkStaleness(of flight: Flight, at site: Site) throws {
    guard let maximum = workflow.maximumStaleness, staleness(of: flight) > maximum else { return }
    throw FederationError.rejected(
      site,
      "its update began \(staleness(of: flight)) steps ago, where \(maximum) are allowed"
    )
  }

  /// Sees to it that enough tasks are under way, so many of them towards this buffer.
  mutating func send(upTo wanted: Int) throws {
    switch workflow.arrival {
    case .real:
      fill(in: nil)
      let underWay = controller.tasksUnderWay
      try dispatch(saved.flights.filter { !underWay.contains($0.number) })
    case .virtual(let time):
      guard landing.isEmpty else { return }
      var due: [Flight] = []
      while due.count < wanted {
        fill(in: time)
        guard let next = saved.flights.min(by: { ($0.end, $0.number) < ($1.end, $1.number) }),
          // A site keeps one memory, so it does one thing after the other.
          !due.contains(where: { $0.site == next.site })
        else { break }
        saved.flights.removeAll { $0.number == next.number }
        saved.time = next.end
        due.append(next)
      }
      for flight in due { landing[flight.number] = flight }
      try dispatch(due)
    }
  }

  /// The task of that number, which is no longer under way; `nil` if it was not.
  mutating func land(_ number: Int) -> Flight? {
    if let flight = landing.removeValue(forKey: number) { return flight }
    guard let place = saved.flights.firstIndex(where: { $0.number == number }) else { return nil }
    return saved.flights.remove(at: place)
  }

  /// Draws idle sites, each as likely as any, until enough are at work.
  private mutating func fill(in time: VirtualTime?) {
    guard saved.flights.count < workflow.concurrency else { return }
    let key = controller.federation.key["workflow"]["fedbuff"]
    var busy = saved.flights.map(\.site).sorted()
    while saved.flights.count < workflow.concurrency {
      let draw = key[saved.nextNumber]
      var numbers = KeyedRandomNumbers(key: draw["site"])
      var index = Int.random(in: 0..<(controller.sites.count - busy.count), using: &numbers)
      var place = 0
      // The index counts the idle sites alone.
      while place < busy.count, busy[place] <= index { (index, place) = (index + 1, place + 1) }
      busy.insert(index, at: place)
      let site = controller.sites[index]
      saved.flights.append(
        Flight(
          number: saved.nextNumber,
          site: index,
          version: saved.version,
          end: saved.time + (time?.duration(at: site, key: draw["duration"]) ?? 0)
        )
      )
      saved.nextNumber += 1
    }
  }

  private func dispatch(_ flights: [Flight]) throws {
    let versions = Dictionary(grouping: flights, by: \.version).sorted { $0.key < $1.key }
    try controller.dispatch(
      versions.map { version, flights in
        var data = global
        data.tensors = models[version] ?? .empty
        return Dispatch(
          data,
          round: version + 1,
          flights: flights.map { .init(number: $0.number, site: controller.sites[$0.site]) }
        )
      }
    )
  }

  /// Keeps what the next buffer needs.
  mutating func save(to state: inout WorkflowState) throws {
    clear(&state)
    saved.version += 1
    for version in Set(saved.flights.map(\.version)) {
      state.memory[Self.memory(version)] = models[version]
    }
    saved.flights.sort { $0.number < $1.number }
    try state.setDocument(Self.document, to: saved)
  }

  /// Removes all that any line has kept.
  static func clear(_ state: inout WorkflowState) {
    state.documents[document] = nil
    for name in state.memory.keys where name.hasPrefix("fedbuff-") { state.memory[name] = nil }
  }

  /// Removes all that was kept.
  func clear(_ state: inout WorkflowState) {
    state.documents[Self.document] = nil
    for version in models.keys { state.memory[Self.memory(version)] = nil }
  }
}
