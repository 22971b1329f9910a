extension Resources {
  /// What a job can hold: it declares less than nothing of nothing.
  var held: Resources {
    Resources(cores: max(0, cores), memory: max(0, memory), gpus: max(0, gpus))
  }

  /// What is left when so much is taken; less than nothing if there was not enough.
  func without(_ other: Resources) -> Resources {
    Resources(
      cores: difference(cores, other.cores),
      memory: difference(memory, other.memory),
      gpus: difference(gpus, other.gpus)
    )
  }

  /// Whether there is room for so much; of what is not asked for, nothing has to be there.
  func hasRoom(for need: Resources) -> Bool { shortage(of: need).isEmpty }

  /// What there is too little of: in which words people call it, and how much there is and is needed of it.
  func shortage(of need: Resources) -> [Shortage] {
    [
      Shortage(kind: .cores, has: cores, needs: need.cores),
      Shortage(kind: .memory, has: memory, needs: need.memory),
      Shortage(kind: .gpus, has: gpus, needs: need.gpus),
    ].filter { $0.needs > 0 && $0.has < $0.needs }
  }

  /// How much there is of a kind.
  subscript(kind: Shortage.Kind) -> Int {
    switch kind {
    case .cores: cores
    case .memory: memory
    case .gpus: gpus
    }
  }

  /// Numbers of this size mean nothing, but may stand in a job.
  private func difference(_ a: Int, _ b: Int) -> Int {
    let (result, isOver) = a.subtractingReportingOverflow(b)
    return isOver ? .min : result
  }
}

/// Something of which a site has not enough.
struct Shortage {
  enum Kind { case cores, memory, gpus }
  var kind: Kind
  var has: Int
  var needs: Int

  /// `2 of 8 GB free and 4 are needed`.
  func words(of total: Int) -> String {
    let (has, total, needs, name) = texts(of: total)
    return "\(has) of \(total) \(name) free and \(needs)"
  }

  /// `8 GB in all and 16 are needed`.
  var wordsInAll: String {
    let (has, _, needs, name) = texts(of: self.has)
    return "\(has) \(name) in all and \(needs)"
  }

  private func texts(of total: Int) -> (has: String, total: String, needs: String, name: String) {
    let has = max(0, has)
    let unit = kind == .memory ? Self.unit(of: needs) : (size: 1, name: "")
    let name: String
    switch kind {
    case .cores: name = total == 1 ? "core" : "cores"
    case .gpus: name = total == 1 ? "GPU" : "GPUs"
    case .memory: name = unit.name
    }
    let needed = Self.amount(needs, unit.size)
    return (
      Self.amount(has, unit.size), Self.amount(total, unit.size),
      "\(needed) \(needed == "1" ? "is" : "are") needed", name
    )
  }

  private static func unit(of bytes: Int) -> (size: Double, name: String) {
    bytes >= 1_000_000_000 ? (1e9, "GB") : (1e6, "MB")
  }

  private static func amount(_ bytes: Int, _ unit: Double) -> String {
    let tenths = (Double(bytes) / unit * 10).rounded() / 10
    return tenths == tenths.rounded() ? String("\(tenths)".dropLast(2)) : "\(tenths)"
  }
}
