import Crypto
import TesseraCore
import TesseraFederation

/// A whole round in one place, with sites that drop out, events in any order, and messages changed on the way.
struct SecureAggregationSimulation {
  enum Outcome: Equatable {
    case sum(SecureSum)
    case abandoned(String)
  }

  /// How a site that drops out shows it.
  enum Manner { case says, staysSilent }

  var configuration: SecureAggregationConfiguration
  var vectors: [Int: [UInt64]]
  var dropouts: [Int: SecureAggregationServer.Phase] = [:]
  var manner = Manner.says
  /// Draws the order in which events arrive.
  var order: RandomKey?
  var secrets = SecretSource.reproducible(RandomKey(seed: 1))
  var graphKey = RandomKey(seed: 2)
  var changeRequest: (Int, SecureAggregationRequest) -> SecureAggregationRequest? = { $1 }
  var changeAnswer: (Int, SecureAggregationAnswer) -> SecureAggregationAnswer? = { $1 }

  /// What the server asked, in order.
  private(set) var requests: [(site: Int, request: SecureAggregationRequest)] = []
  /// What the server was answered, in order: all that it sees.
  private(set) var answers: [(site: Int, answer: SecureAggregationAnswer)] = []
  private(set) var rejections: [(site: Int, reason: String)] = []
  private(set) var refusals: [(site: Int, error: FederationError)] = []
  var clients: [Int: SecureAggregationClient] = [:]

  init(configuration: SecureAggregationConfiguration, vectors: [Int: [UInt64]]) {
    self.configuration = configuration
    self.vectors = vectors
  }

  /// A round over `0..<sites` with vectors drawn from a key.
  init(
    sites: Int,
    degree: Int? = nil,
    threshold: Int,
    length: Int = 5,
    signed: Bool = false,
    key: RandomKey = RandomKey(seed: 3)
  ) throws {
    self.init(
      configuration: try SecureAggregationConfiguration(
        session: "test",
        round: 4,
        sites: Array(0..<sites),
        degree: degree ?? sites - 1,
        threshold: threshold,
        vectorLength: length,
        signed: signed
      ),
      vectors: Dictionary(
        uniqueKeysWithValues: (0..<sites).map { site in
          var numbers = KeyedRandomNumbers(key: key[site])
          return (site, (0..<length).map { _ in numbers.next() })
        }
      )
    )
  }

  /// The sum of some sites' vectors.
  func sum(of sites: some Sequence<Int>) -> [UInt64] {
    sites.reduce([UInt64](repeating: 0, count: configuration.vectorLength)) { sum, site in
      zip(sum, vectors[site] ?? []).map { $0 &+ $1 }
    }
  }

  static func signingKey(of site: Int) throws -> Curve25519.Signing.PrivateKey {
    try Curve25519.Signing.PrivateKey(
      rawRepresentation: [UInt8](repeating: UInt8(site + 1), count: 32)
    )
  }

  func identities() throws -> [Int: Curve25519.Signing.PublicKey] {
    Dictionary(
      uniqueKeysWithValues: try configuration.sites.map {
        ($0, try Self.signingKey(of: $0).publicKey)
      }
    )
  }

  mutating func run() throws -> Outcome {
    let identities = configuration.signed ? try identities() : nil
    for site in configuration.sites {
      clients[site] = try SecureAggregationClient(
        site: site,
        configuration: configuration,
        identity: identities.map {
          SiteIdentity(privateKey: try Self.signingKey(of: site), peers: $0)
        },
        secrets: secrets
      )
    }
    var server = SecureAggregationServer(
      configuration: configuration,
      graphKey: graphKey,
      identities: identities
    )
    var numbers = KeyedRandomNumbers(key: order ?? RandomKey(seed: 0))
    var waiting: [SecureAggregationServer.Event] = [.started]
    while true {
      let event: SecureAggregationServer.Event
      if waiting.isEmpty {
        event = .deadlinePassed
      } else {
        let place = order == nil ? 0 : Int.random(in: 0..<waiting.count, using: &numbers)
        event = waiting.remove(at: place)
      }
      if case .answered(let site, let answer) = event { answers.append((site, answer)) }
      for action in server.handle(event) {
        switch action {
        case .ask(let site, let request):
          requests.append((site, request))
          if let reply = reply(of: site, to: request, in: server.phase) { waiting.append(reply) }
        case .reject(let site, let reason): rejections.append((site, reason))
        case .finish(let sum): return .sum(sum)
        case .abandon(let reason): return .abandoned(reason)
        }
      }
    }
  }

  private mutating func reply(
    of site: Int,
    to request: SecureAggregationRequest,
    in phase: SecureAggregationServer.Phase?
  ) -> SecureAggregationServer.Event? {
    if dropouts[site] == phase {
      return manner == .says ? .failed(site: site, reason: "gone") : nil
    }
    guard let request = changeRequest(site, request) else {
      return .failed(site: site, reason: "the request is not readable")
    }
    do {
      let vector = vectors[site] ?? []
      guard let answer = try clients[site]?.answer(request, vector: { vector }),
        let changed = changeAnswer(site, answer)
      else { return .failed(site: site, reason: "the answer is not readable") }
      return .answered(site: site, changed)
    } catch let error as FederationError {
      refusals.append((site, error))
      return .failed(site: site, reason: error.message)
    } catch {
      return .failed(site: site, reason: "\(error)")
    }
  }
}
