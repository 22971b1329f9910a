public import TesseraCore

extension Module {
  /// All parameters with their paths, in declaration order.
  ///
  /// One that is used twice is listed under its first path.
  public var namedParameters: [(name: String, parameter: Parameter)] {
    slots.compactMap { slot in
      guard case .parameter(let parameter) = slot.content else { return nil }
      return (slot.name, parameter)
    }
  }

  /// All parameters, in declaration order.
  public var parameters: [Parameter] { namedParameters.map(\.parameter) }

  /// All buffers with their paths, in declaration order.
  public var namedBuffers: [(name: String, buffer: Buffer)] {
    slots.compactMap { slot in
      guard case .buffer(let buffer) = slot.content else { return nil }
      return (slot.name, buffer)
    }
  }

  /// The number of trained and untrained elements.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.value.count } }

  /// Parameters and buffers of the whole tree, with dotted paths.
  var slots: [Member] {
    var found: [Member] = []
    var seen: Set<ObjectIdentifier> = []
    collect(under: "", into: &found, seen: &seen)
    return found
  }

  private func collect(
    under prefix: String,
    into found: inout [Member],
    seen: inout Set<ObjectIdentifier>
  ) {
    for member in members {
      let path = prefix.isEmpty ? member.name : "\(prefix).\(member.name)"
      switch member.content {
      case .parameter(let parameter):
        if seen.insert(ObjectIdentifier(parameter)).inserted {
          found.append(Member(path, member.content))
        }
      case .buffer(let buffer):
        if seen.insert(ObjectIdentifier(buffer)).inserted {
          found.append(Member(path, member.content))
        }
      case .module(let module):
        if seen.insert(ObjectIdentifier(module)).inserted {
          module.collect(under: path, into: &found, seen: &seen)
        }
      }
    }
  }

  /// This module and all under it.
  var descendants: [any Module] {
    var found: [any Module] = []
    var seen: Set<ObjectIdentifier> = []
    func visit(_ module: any Module) {
      guard seen.insert(ObjectIdentifier(module)).inserted else { return }
      found.append(module)
      for member in module.members {
        if case .module(let child) = member.content { visit(child) }
      }
    }
    visit(self)
    return found
  }

  /// Tells all layers whether the model is being trained or used.
  public func setMode(_ mode: Mode) {
    for case let module as any ModeDependent in descendants { module.mode = mode }
  }

  /// Moves all parameters and buffers to a device.
  ///
  /// Make optimisers afterwards.
  public func move(to device: Device) throws {
    try replaceTensors { try $0.moved(to: device) }
  }

  /// Gives all parameters and buffers of real numbers another dtype.
  ///
  /// Make optimisers afterwards.
  ///
  /// Whole numbers, such as counts and positions, stay as they are.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/invalidArgument`` if `dtype` has no fractions.
  public func convert(to dtype: DType) throws {
    guard dtype.isFloatingPoint else {
      throw TensorError(
        code: .invalidArgument,
        message: "a model cannot be trained or used in \(dtype)"
      )
    }
    try replaceTensors { $0.dtype.isFloatingPoint ? try $0.to(dtype) : $0 }
  }

  /// Lays all four-dimensional weights out for channels-last convolutions.
  public func useChannelsLast() throws {
    try replaceTensors { $0.rank == 4 ? try $0.laidOut(as: .channelsLast) : $0 }
  }

  private func replaceTensors(_ transform: (Tensor) throws -> Tensor) throws {
    for slot in slots {
      switch slot.content {
      case .parameter(let parameter):
        try parameter.replace(by: transform(parameter.value.detached()))
      case .buffer(let buffer): try buffer.replace(by: transform(buffer.value))
      case .module: break
      }
    }
  }
}

extension Tensor {
  /// The derivatives of this one-element tensor by each parameter, in their order.
  ///
  /// - Throws: ``TensorError`` if this tensor has several elements or was not recorded.
  public func gradients(for parameters: [Parameter]) throws -> [Tensor] {
    let trained = parameters.filter(\.isTrained).map(\.value)
    guard trained.count < parameters.count else { return try gradients(for: trained) }
    var computed = try gradients(for: trained)[...]
    return try parameters.map { parameter in
      if parameter.isTrained, let gradient = computed.popFirst() { return gradient }
      return try Tensor.zeros(
        parameter.value.shape,
        dtype: parameter.value.dtype,
        on: parameter.value.device
      )
    }
  }
}
