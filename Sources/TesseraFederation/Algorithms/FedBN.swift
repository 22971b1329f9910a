public import TesseraCore
public import TesseraNN

/// A site's part in FedBN (Li et al., 2021): the tensors of batch normalisation stay at the site.
///
/// They are trained there and never leave: `w^{t+1} = Σ p_k·w_k^{t+1}` for all other tensors, `w_k` its own for these (algorithm
/// 1). An answer leaves them out and lists them in ``Exchange/Metadata-swift.struct/excluded``, so that the server's model keeps
/// its first ones, which a site that is new begins with. The server's part is ``FedAvg``, or any other that averages models.
public struct FedBN: SiteAlgorithm {
  /// What the algorithm is called in answers.
  public var name: String { "fedbn" }
  /// The tensors that stay.
  public let names: TensorNames
  /// Where they lie in the site's memory.
  public static let memoryName = "fedbn.own"

  /// Tensors that stay at the site.
  ///
  /// - Parameter names: Their names, or patterns with `*` for any characters; ``namesOfBatchNorms(in:)`` knows those of a model.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(names: [String]) throws {
    self.names = try TensorNames(names)
  }

  /// The names of all parameters and buffers of a model's ``BatchNorm`` layers.
  public static func namesOfBatchNorms(in model: any Module) -> [String] {
    var found: [String] = []
    var seen: Set<ObjectIdentifier> = []
    func visit(_ module: any Module, _ path: String) {
      guard seen.insert(ObjectIdentifier(module)).inserted else { return }
      for member in module.members {
        let name = path.isEmpty ? member.name : "\(path).\(member.name)"
        switch member.content {
        case .module(let child): visit(child, name)
        case .parameter, .buffer: if module is BatchNorm { found.append(name) }
        }
      }
    }
    visit(model, "")
    return found
  }

  /// Trains the global model with the site's own tensors, and answers without them.
  public func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate {
    let trained = try await train(try localized(task.model, at: site), nil, task.key)
    let own = try trained.state.filtered { name, _ in names.contains(name) }
    let shared = try trained.state.filtered { name, _ in !names.contains(name) }
    guard !own.names.isEmpty, !shared.names.isEmpty else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          'names' must leave some tensors to the site and some to share; \(own.names.count) of \
          \(trained.state.names.count) are \(names.patterns)
          """
      )
    }
    site.memory[Self.memoryName] = own
    var answer = trained.weights
    answer.tensors = shared
    answer.metadata.excluded = own.names
    return SiteUpdate(answer, model: shared)
  }

  /// The model that came, with the site's own tensors.
  public func measured(_ model: ModelState, at site: SiteContext) throws -> [String: ModelState] {
    ["": try localized(model, at: site)]
  }

  private func localized(_ model: ModelState, at site: SiteContext) throws -> ModelState {
    guard let own = site.memory[Self.memoryName] else { return model }
    let missing = own.entries.filter { model[$0.name] == nil }
    return try ModelState(model.mapTensors { own[$0] ?? $1 }.entries + missing)
  }
}

extension SiteAlgorithm where Self == FedBN {
  /// Tensors that stay at the site.
  ///
  /// - Parameter names: Their names, or patterns with `*` for any characters.
  /// - Returns: The algorithm.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func fedBN(names: [String]) throws -> Self { try Self(names: names) }
}
