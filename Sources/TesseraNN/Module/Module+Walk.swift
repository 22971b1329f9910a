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
    // A part may refer to the whole.
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(self)]
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

  /// Has all layers that draw while they are trained, such as ``Dropout``, draw from a generator.
  public func draw(from generator: Generator) {
    for case let layer as any DrawingLayer in descendants { layer.generator = generator }
  }

  /// Moves all parameters and buffers to a device, and the draws of ``Dropout`` and ``StochasticDepth`` layers.
  ///
  /// Make optimisers afterwards. A generator cannot leave its device: layers that drop get new ones, seeded by theirs, and
  /// those that shared one share one again. Layers without random weights are made on the CPU whatever generator their
  /// neighbours have, so a model made with a GPU's generator is moved too.
  ///
  /// - Throws: ``TensorError`` if the device is not there or has no room; then nothing has changed.
  public func move(to device: Device) throws {
    let moved = try slots.map { (slot: $0, tensor: try $0.tensor?.detached().moved(to: device)) }
    var generators: [ObjectIdentifier: Generator] = [:]
    let layers = descendants.compactMap { $0 as? any DrawingLayer }
    for generator in layers.map(\.generator) where generators[ObjectIdentifier(generator)] == nil {
      generators[ObjectIdentifier(generator)] = try generator.moved(to: device)
    }
    for layer in layers {
      layer.generator = generators[ObjectIdentifier(layer.generator)] ?? layer.generator
    }
    for case (let slot, let tensor?) in moved { try slot.replace(by: tensor) }
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

  /// Lays the weights of convolutions over images and volumes out for channels-last.
  public func useChannelsLast() throws {
    try replaceTensors {
      switch $0.rank {
      case 4: try $0.laidOut(as: .channelsLast)
      case 5: try $0.laidOut(as: .channelsLast3d)
      default: $0
      }
    }
  }

  private func replaceTensors(_ transform: (Tensor) throws -> Tensor) throws {
    for slot in slots {
      guard let tensor = slot.tensor else { continue }
      try slot.replace(by: transform(tensor.detached()))
    }
  }
}

extension Member {
  /// What a parameter or a buffer holds.
  var tensor: Tensor? {
    switch content {
    case .parameter(let parameter): parameter.value
    case .buffer(let buffer): buffer.value
    case .module: nil
    }
  }

  fileprivate func replace(by tensor: Tensor) throws {
    switch content {
    case .parameter(let parameter): try parameter.replace(by: tensor)
    case .buffer(let buffer): buffer.replace(by: tensor)
    case .module: break
    }
  }
}

extension Generator {
  /// This generator, or on another device one that it seeds.
  fileprivate func moved(to device: Device) throws -> Generator {
    // A generator does not say where it is; what it draws does, and nothing is drawn here.
    guard try Tensor.uniform([0], using: self).device != device else { return self }
    let seed = try Tensor.randomIntegers([1], in: 0..<(1 << 53), using: self).itemAsInteger()
    return try Generator(seed: UInt64(seed), on: device)
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
