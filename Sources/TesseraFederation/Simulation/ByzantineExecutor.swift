internal import TesseraCore

/// Some sites that do not answer honestly, for trying out what a rule withstands.
///
/// The other sites answer as a given executor does. Attackers do so as well, and then change the model's floating-point tensors;
/// their weight and measurements look as before.
public struct ByzantineExecutor: Executor {
  /// What attackers send instead of what they trained.
  public enum Attack: Sendable, Hashable {
    /// The opposite direction, this many times as far: `m − scale · (x − m)`.
    case signFlip(scale: Double)
    /// The model with normally distributed noise of this standard deviation: `m + deviation · ε`.
    case noise(deviation: Double)
  }

  /// What the sites do.
  public let honest: any Executor
  /// The indices of the sites that attack.
  public let attackers: Set<Int>
  /// What they send.
  public let attack: Attack

  /// Sites of which some attack.
  public init(_ honest: any Executor, attackers: Set<Int>, attack: Attack) {
    self.honest = honest
    self.attackers = attackers
    self.attack = attack
  }

  /// Carries out a task, and falsifies the answer if the site is an attacker.
  public func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let answer = try await honest.execute(task, at: site)
    guard attackers.contains(task.site.index) else { return answer }
    let generator = try Generator(key: task.key["attack"])
    return try answer.mapModels { update in
      var falsified = update
      falsified.tensors = try update.tensors.mapTensors { name, tensor in
        guard tensor.dtype.isFloatingPoint else { return tensor }
        let model = update.kind == .weights ? task.model[name] : nil
        let base = try model ?? Tensor.zeros(like: tensor)
        switch attack {
        case .signFlip(let scale): return try base - (tensor - base) * scale
        case .noise(let deviation):
          let noise = try Tensor.normal(tensor.shape, deviation: deviation, using: generator)
          return try (base + noise).to(tensor.dtype)
        }
      }
      return falsified
    }
  }

  /// Closes the executor of the sites' own work.
  public func close() async { await honest.close() }
}
