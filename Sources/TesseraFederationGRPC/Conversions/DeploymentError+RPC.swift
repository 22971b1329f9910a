internal import GRPCCore
internal import TesseraConfiguration
internal import TesseraDeployment
internal import TesseraFederation
internal import TesseraProvisioning

/// Where an error's own code stands in a message.
private let codeKey = "tessera-code"

extension RPCError {
  /// An error as the wire has it.
  init(refusal error: any Error) {
    if let error = error as? RPCError {
      self = error
      return
    }
    let known = DeploymentError(reporting: error)
    let code: RPCError.Code =
      switch known.code {
      case .notFound: .notFound
      case .notAllowed: .permissionDenied
      case .alreadyThere: .alreadyExists
      case .unavailable: .unavailable
      case .cannotRead, .cannotWrite, .unknown: .internalError
      default: .invalidArgument
      }
    self.init(
      code: code,
      message: known.message,
      metadata: [codeKey: .string(known.code.description)]
    )
  }
}

extension RPCError {
  /// Whether a server has said it, in answer to what was asked.
  var isAnswer: Bool { metadata[stringValues: codeKey].first { _ in true } != nil }
}

extension DeploymentError {
  /// An error of an RPC, of which people are told where nobody answered.
  init(reporting error: RPCError, at server: ServerTarget) {
    self.init(reporting: error)
    guard code == .unavailable, !error.isAnswer else { return }
    self = .noServer(at: "\(server.host):\(server.port)", because: message)
  }

  /// Nobody answers.
  static func noServer(at place: String, because reason: String) -> DeploymentError {
    DeploymentError(
      code: .unavailable,
      message: "no server answers at \(place) (\(reason)): 'tessera federation check KIT' says why"
    )
  }

  /// An error that people are told of, whatever it was.
  init(reporting error: any Error) {
    switch error {
    case let error as DeploymentError: self = error
    case let error as ConfigurationError:
      self.init(code: .invalidArgument, message: error.description)
    case let error as FederationError: self.init(code: .unavailable, message: error.message)
    case let error as ProvisioningError: self.init(code: .notAllowed, message: error.message)
    case let error as RPCError:
      let name = error.metadata[stringValues: codeKey].first { _ in true }
      // What no server said: there was none.
      let fallback: Code = name == nil && error.code == .unavailable ? .unavailable : .notAllowed
      self.init(
        code: name.flatMap(Code.init(name:)) ?? fallback,
        message: error.cause.map { "\(error.message) (\($0))" } ?? error.message
      )
    // What it says may be of anything, and is for the log of where it happened.
    default:
      self.init(
        code: .unknown,
        message: "something went wrong that has no message of its own: \(type(of: error))"
      )
    }
  }
}
