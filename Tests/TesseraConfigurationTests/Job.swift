import TesseraConfiguration

/// A job as a configuration describes it.
struct Job: Equatable {
  enum Device: String, CaseIterable { case cpu, cuda }

  struct Site: Equatable {
    var name: String
    var weight: Double

    init(_ site: Mapping) throws {
      name = try site.required("name", .text)
      weight = try site.optional("weight", .number(in: 0...), default: 1)
    }
  }

  enum Rule: Equatable {
    case mean
    case trimmedMean(trim: Double)

    static let registry = {
      var rules = Registry<Rule>(of: "aggregation rule")
      rules.register("mean") { _ in .mean }
      rules.register("trimmed-mean") { arguments in
        .trimmedMean(trim: try arguments.optional("trim", .number(in: 0..<0.5), default: 0.1))
      }
      return rules
    }()
  }

  var rounds: Int
  var seed: UInt64
  var fraction: Double
  var target: Double?
  var device: Device
  var augments: Bool
  var reduction: Int
  var sites: [Site]
  var hidden: [Int]
  var rule: Rule
  var filters: [Rule]
  var quotas: [String]
  var minimum: Int

  init(_ job: Mapping) throws {
    rounds = try job.required("rounds", .integer(in: 1...10_000))
    seed = try job.optional("seed", .unsigned, default: 1)
    fraction = try job.optional("fraction", .number(in: 0.001...1), default: 1)
    target = try job.optional("target", .number)
    device = try job.optional("device", .choice, default: .cpu)
    augments = try job.optional("augments", .boolean, default: false)
    reduction = try job.optional("reduction", .choice(of: ["sum": 0, "mean": 1]), default: 1)
    sites = try job.required("sites", .list(of: .mapping(Site.init), count: 1...3))
    hidden = try job.optional("hidden", .list(of: .integer(in: 1...)), default: [])
    rule = try job.optional("rule", .component(from: Rule.registry), default: .mean)
    filters = try job.optional(
      "filters",
      .list(of: .component(from: Rule.registry)),
      default: []
    )
    quotas = try job.optional("quotas", .named(.integer), default: [])
      .map { "\($0.name)=\($0.value)" }
    minimum = try job.optional(
      "limits",
      .mapping { limits in
        try limits.optional("minimum", .integer(in: 1...), default: 1)
      },
      default: 1
    )
    if minimum > sites.count {
      throw job.error(at: "limits", "must not ask for more than the number of sites")
    }
  }
}

/// A job that uses everything.
let wholeJob = """
  # What is trained where.
  rounds: 20
  seed: 18446744073709551615
  fraction: 0.5
  target: 9e-1
  device: cuda
  augments: true
  reduction: "sum"
  sites:
    - name: north
      weight: 2
    - {name: "7", weight: .5}
    - &south
      name: Süd
  hidden: [0x10, 0o10, 1e2, +8]
  rule:
    type: trimmed-mean
    trim: 0.2
  filters: [mean, {type: mean}, {type: trimmed-mean}]
  quotas:
    b: 1
    a: 2
  limits: {minimum: 3}

  """
