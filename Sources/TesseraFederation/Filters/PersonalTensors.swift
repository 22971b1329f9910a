internal import TesseraCore

/// Keeps some tensors of the model at the site: each site has its own, and trains them from round to round.
///
/// FedBN (Li et al., 2021) is federated averaging with the tensors of batch normalisation kept so; FedPer (Arivazhagan et
/// al., 2019) keeps the last layers:
///
///     let personal = try PersonalTensors(["*.norm*", "*.running_*"])
///     let filters = SiteFilters(tasks: [personal], results: [personal])
///
/// The same filter belongs in both lists of a site. Answers leave without the tensors, and the site remembers them; tasks of
/// any name get them back before they reach the executor. Before the site has trained, tasks keep those that they came with.
/// At the server, the filter lets tasks pass, and takes the tensors out of answers of sites that lack it.
public struct PersonalTensors: ShorteningFilter {
  /// The name in configurations.
  public static let name = "personal-tensors"
  /// Which tensors stay at the site.
  public let names: TensorNames
  /// The tasks from whose answers the site remembers them.
  public let tasks: Set<TaskName>

  /// Keeps tensors at the site.
  ///
  /// - Parameters:
  ///   - names: Names, with `*` for any run of characters.
  ///   - tasks: The tasks from whose answers the site remembers them: those that train.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(_ names: [String], tasks: Set<TaskName> = [.train]) throws {
    self.names = try TensorNames(names)
    self.tasks = tasks
  }

  /// A task with the site's own tensors, or an answer without them.
  ///
  /// Answers to ``TaskName/initialize`` pass: a model to begin with must be whole, and no site has made it its own yet.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor that would be remembered is
  ///   not finite, and ``FederationError/Code/badTask`` if a remembered one does not fit the task's model.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    switch (context.side, context.direction) {
    case (.server, .task): return exchange
    case (.site, .task): return try exchange.mapModels(in: context, giveBack)
    case (_, .result):
      guard context.task != .initialize else { return exchange }
      return try exchange.mapModels(in: context) { model, place in
        try place.requirePlain(model, for: Self.name)
        if context.side == .site, tasks.contains(context.task) { try remember(model, place) }
        return try model.leavingOut(names.contains)
      }
    }
  }

  private func remember(_ model: Exchange, _ place: FilteredModel) throws {
    let own = try model.tensors.entries.filter { names.contains($0.name) }.map { name, tensor in
      if tensor.dtype.isFloatingPoint { try place.requireFinite(tensor, name) }
      guard model.kind == .weightDifference else { return (name: name, tensor: tensor) }
      let start = try place.counterpart(of: tensor, name)
      return (name: name, tensor: try (start + tensor).to(tensor.dtype))
    }
    guard !own.isEmpty else { return }
    place.context.memory[place.memoryName(Self.name)] = try ModelState(own)
  }

  private func giveBack(_ model: Exchange, _ place: FilteredModel) throws -> Exchange {
    guard let own = place.context.memory[place.memoryName(Self.name)] else { return model }
    try place.requirePlain(model, for: Self.name)
    var result = model
    var entries = model.tensors.entries
    for (index, entry) in entries.enumerated() {
      guard names.contains(entry.name), let tensor = own[entry.name] else { continue }
      guard tensor.shape == entry.tensor.shape, tensor.dtype == entry.tensor.dtype else {
        throw FederationError(
          code: .badTask,
          message: """
            \(place.context.site?.name ?? "a site"): its own tensor '\(entry.name)' is \(tensor), the \
            task's \(entry.tensor)
            """
        )
      }
      entries[index].tensor = tensor
    }
    // What the server left out has no place of its own any more.
    let missing = own.names.filter { model.tensors[$0] == nil && names.contains($0) }
    entries += own.entries.filter { missing.contains($0.name) }
    result.tensors = try ModelState(entries)
    result.metadata.excluded.removeAll { missing.contains($0) }
    return result
  }
}
