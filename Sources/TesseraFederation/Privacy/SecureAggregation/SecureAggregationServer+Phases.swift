internal import Foundation
internal import TesseraCore

extension SecureAggregationServer {
  /// Ends the phase when nobody is waited for any more, or too few are left.
  mutating func settle() -> [Action] {
    guard let phase else { return [] }
    let answered: Int
    switch phase {
    case .advertiseKeys: answered = advertised.count
    case .shareKeys: answered = shared.count
    case .maskVector: answered = survivors.count
    case .confirmSurvivors: answered = confirmations.count
    case .unmask: answered = unmasking.count
    case .finished: return []
    }
    // Whose vectors are in the sum is decided once they have come; then the threshold counts.
    let needed =
      switch phase {
      case .advertiseKeys, .shareKeys, .maskVector: configuration.minimumSurvivors
      default: configuration.threshold
      }
    guard answered + pending.count >= needed else {
      return abandon("\(answered) sites gave a usable answer, \(needed) are needed")
    }
    guard pending.isEmpty else { return [] }
    switch phase {
    case .advertiseKeys: return askForShares()
    case .shareKeys: return askForVectors()
    case .maskVector: return configuration.signed ? askForConfirmations() : askForUnmasking()
    case .confirmSurvivors: return askForUnmasking()
    case .unmask: return finish()
    case .finished: return []
    }
  }

  mutating func abandon(_ reason: String) -> [Action] {
    let during = phase?.rawValue ?? ""
    phase = .finished
    pending = []
    sum = []
    // Sites drop out in any order; the list does not depend on it.
    let details = dropouts.sorted { $0.site < $1.site }
      .map { "; site \($0.site) dropped out in '\($0.phase.rawValue)': \($0.reason)" }
      .joined()
    return [
      .abandon(
        reason: """
          secure aggregation, round \(configuration.round), phase '\(during)': \(reason) \
          (\(configuration.sites.count) sites were asked)\(details)
          """
      )
    ]
  }

  private mutating func askForShares() -> [Action] {
    let graph: NeighbourGraph
    do {
      graph = try NeighbourGraph(
        sites: advertised.keys.sorted(),
        degree: configuration.degree,
        key: graphKey["neighbours"][configuration.round]
      )
    } catch {
      return abandon("\(error)")
    }
    self.graph = graph
    phase = .shareKeys
    pending = Set(graph.sites)
    return graph.sites.map { site in
      let neighbours = graph.neighbours(of: site).compactMap { neighbour in
        advertised[neighbour].map { NeighbourKeys.Entry(site: neighbour, keys: $0) }
      }
      return .ask(site: site, .shareKeys(NeighbourKeys(neighbours: neighbours)))
    }
  }

  private mutating func askForVectors() -> [Action] {
    var actions: [Action] = []
    // Whose neighbours are too few to unmask it leaves before anybody masks with it; that may make others too few.
    while let site = shared.keys.sorted().first(where: {
      participants(around: $0).count + 1 < max(configuration.threshold, 2)
    }) {
      let reason = """
        \(participants(around: site).count) of its neighbours shared their keys, \
        \(max(configuration.threshold, 2) - 1) are needed
        """
      shared[site] = nil
      drop(site, reason)
      actions.append(.reject(site: site, reason: reason))
    }
    guard shared.count >= configuration.minimumSurvivors else {
      return actions
        + abandon(
          """
          \(shared.count) sites shared their keys with enough neighbours, \
          \(configuration.minimumSurvivors) are needed
          """
        )
    }
    phase = .maskVector
    pending = Set(shared.keys)
    return actions
      + shared.keys.sorted().map { site in
        let delivered = participants(around: site).compactMap { sender in
          shared[sender]?.shares.bytes(of: site).map { SiteBytes(site: sender, bytes: $0) }
        }
        return .ask(site: site, .maskVector(DeliveredShares(shares: delivered)))
      }
  }

  /// Why the sum of the survivors could not be unmasked even if all of them help, or must not be.
  private func obstacle() -> String? {
    for site in shared.keys.sorted() {
      let helpers = helpers(for: site).count
      if isNeeded(site), helpers < configuration.threshold {
        return """
          \(helpers) survivors keep shares of site \(site), \(configuration.threshold) are needed
          """
      }
    }
    // In parts, the sum of each could be had, and not only that of all.
    guard graph?.isConnected(among: survivors) ?? false else {
      return "the \(survivors.count) survivors fall into parts that are not neighbours"
    }
    return nil
  }

  /// Whether a secret of the site masks the sum.
  func isNeeded(_ site: Int) -> Bool {
    survivors.contains(site) || participants(around: site).contains(where: survivors.contains)
  }

  /// The survivors that keep a share of a site's secrets, ascending.
  func helpers(for site: Int) -> [Int] {
    (participants(around: site) + [site]).filter(survivors.contains).sorted()
  }

  private mutating func askForConfirmations() -> [Action] {
    if let obstacle = obstacle() { return abandon(obstacle) }
    phase = .confirmSurvivors
    pending = survivors
    let list = SurvivorList(survivors: survivors.sorted())
    return list.survivors.map { .ask(site: $0, .confirmSurvivors(list)) }
  }

  private mutating func askForUnmasking() -> [Action] {
    if let obstacle = obstacle() { return abandon(obstacle) }
    let list = survivors.sorted()
    var actions: [Action] = []
    var asked: Set<Int> = []
    var few: [Int] = []
    for site in list where !configuration.signed || confirmations[site] != nil {
      let around = participants(around: site)
      let signed = around.compactMap { peer in
        confirmations[peer].map { SiteBytes(site: peer, bytes: $0) }
      }
      guard !configuration.signed || signed.count + 1 >= configuration.threshold else {
        few.append(site)
        continue
      }
      asked.insert(site)
      let request = UnmaskingRequest(
        survivors: list,
        dropped: around.filter { !survivors.contains($0) },
        confirmations: signed
      )
      actions.append(.ask(site: site, .unmask(request)))
    }
    for site in few { drop(site, "too few of its neighbours confirmed the survivors") }
    guard asked.count >= configuration.threshold else {
      return abandon(
        """
        \(asked.count) sites have enough neighbours that confirmed the survivors, \
        \(configuration.threshold) are needed
        """
      )
    }
    phase = .unmask
    pending = asked
    return actions
  }
}
