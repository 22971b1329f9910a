public import TesseraConfiguration

extension JobComponents {
  /// Tessera's own filters, under their names.
  mutating func registerFilters() {
    registerTensorFilters()
    registerNoise()
    registerCompression()
  }

  private mutating func registerTensorFilters() {
    let help = "names of tensors, with `*` for any characters"
    filters.register(ExcludeTensors.name, summary: "Leaves tensors out.") { arguments in
      try ExcludeTensors(arguments.required("names", .list(of: .text, count: 1...), help: help))
    }
    filters.register(ExcludeMetrics.name, summary: "Leaves measurements out.") { arguments in
      try ExcludeMetrics(
        arguments.optional(
          "names",
          .list(of: .text, count: 1...),
          help: "names of measurements, with `*` for any characters; all if not given"
        )
      )
    }
    filters.register(
      PersonalTensors.name,
      summary: "Keeps tensors at each site: among a site's filters of tasks and of results."
    ) { arguments in
      try PersonalTensors(arguments.required("names", .list(of: .text, count: 1...), help: help))
    }
    filters.register(
      ConvertWeights.name,
      summary: "Turns weights into their difference from the task's, or back."
    ) { arguments in
      try ConvertWeights(
        to: arguments.optional(
          "to",
          .choice(of: ["differences": .weightDifference, "weights": .weights]),
          default: .weightDifference,
          help: "what models become"
        )
      )
    }
    filters.register(ClipNorm.name, summary: "Scales a model's change down to a length.") {
      arguments in
      try ClipNorm(
        norm: arguments.optional(
          "norm",
          .number(above: 0),
          default: 1,
          help: "the greatest length"
        ),
        measure: arguments.optional(
          "measure",
          .choice,
          default: .l2,
          help: "how changes are measured: `l1` for Laplace noise"
        ),
        perTensor: arguments.optional(
          "per_tensor",
          .boolean,
          default: false,
          help: "clip each tensor for itself"
        )
      )
    }
  }

  private mutating func registerNoise() {
    let kept = "what becomes of tensors of whole numbers"
    filters.register(
      PercentilePrivacy.name,
      summary: "Shares only the largest changes, clamped (Shokri and Shmatikov, 2015)."
    ) { arguments in
      try PercentilePrivacy(
        percentile: arguments.optional(
          "percentile",
          .number(in: 0...100),
          default: 10,
          help: "the share of the changes, in per cent, that is held back"
        ),
        gamma: arguments.optional(
          "gamma",
          .number(above: 0),
          default: 0.01,
          help: "the largest magnitude of a change per step"
        ),
        nonFloating: arguments.optional("non_floating", .choice, default: .excluded, help: kept)
      )
    }
    filters.register(
      SVTPrivacy.name,
      summary: "Shares some large changes by the sparse vector technique (Li et al., 2019)."
    ) { arguments in
      try SVTPrivacy(
        fraction: arguments.optional(
          "fraction",
          .number(above: 0, through: 1),
          default: 0.1,
          help: "the share of the elements that is shared"
        ),
        epsilon: arguments.optional(
          "epsilon",
          .number(above: 0),
          default: 0.1,
          help: "the privacy loss of the noisy threshold"
        ),
        noiseVariance: arguments.optional(
          "noise_variance",
          .number(above: 0),
          default: 0.1,
          help: "the privacy loss of one shared element: more of it is less noise"
        ),
        gamma: arguments.optional(
          "gamma",
          .number(above: 0),
          default: 1e-5,
          help: "the largest magnitude of a change per step"
        ),
        tau: arguments.optional(
          "tau",
          .number,
          default: 1e-6,
          help: "the threshold before noise"
        ),
        replacement: arguments.optional(
          "replacement",
          .boolean,
          default: true,
          help: "draw accepted elements with replacement"
        ),
        nonFloating: arguments.optional("non_floating", .choice, default: .excluded, help: kept)
      )
    }
    filters.register(
      GaussianNoise.name,
      summary: "Adds Gaussian noise to a model's change; for privacy, behind `clip-norm`."
    ) { arguments in
      let deviation = try arguments.optional(
        "standard_deviation",
        .number(in: 0...),
        help: "that of the noise, in place of the next two"
      )
      let level = try arguments.optional(
        "noise_multiplier",
        .noiseLevel(.number(in: 0...)),
        default: .multiplier(1),
        help: "the noise's deviation over `clip_norm`, or as much as the budget needs"
      )
      let clipNorm = try arguments.optional(
        "clip_norm",
        .number(above: 0),
        default: 1,
        help: "the norm that changes were clipped to"
      )
      let nonFloating = try arguments.optional(
        "non_floating",
        Schema<NonFloatingTensors>.choice,
        default: .excluded,
        help: kept
      )
      guard let deviation else {
        var noise = try GaussianNoise(
          noiseMultiplier: level.known,
          clipNorm: clipNorm,
          nonFloating: nonFloating
        )
        noise.isCalibrated = level == .calibrated
        return noise
      }
      try arguments.refuse(["noise_multiplier", "clip_norm"], beside: "standard_deviation")
      return try GaussianNoise(standardDeviation: deviation, nonFloating: nonFloating)
    }
    filters.register(LaplaceNoise.name, summary: "Adds Laplace noise to a model's change.") {
      arguments in
      let scale = try arguments.optional(
        "scale",
        .number(in: 0...),
        help: "that of the noise, in place of the next two"
      )
      let epsilon = try arguments.optional(
        "epsilon",
        .number(above: 0),
        default: 1,
        help: "the privacy loss of an answer"
      )
      let sensitivity = try arguments.optional(
        "sensitivity",
        .number(above: 0),
        default: 1,
        help: "how far apart, in the sum of magnitudes, two updates can be"
      )
      let nonFloating = try arguments.optional(
        "non_floating",
        Schema<NonFloatingTensors>.choice,
        default: .excluded,
        help: kept
      )
      guard let scale else {
        return try LaplaceNoise(
          epsilon: epsilon,
          sensitivity: sensitivity,
          nonFloating: nonFloating
        )
      }
      try arguments.refuse(["epsilon", "sensitivity"], beside: "scale")
      return try LaplaceNoise(scale: scale, nonFloating: nonFloating)
    }
  }

  private mutating func registerCompression() {
    filters.register(
      Quantize.name,
      summary: "Sends fewer bits for each element; `dequantize` undoes it at the other side."
    ) { arguments in
      try Quantize(
        arguments.optional("format", .choice, default: .int8, help: "what elements become"),
        blockSize: arguments.optional(
          "block_size",
          .integer(in: Quantize.blockSizes),
          help:
            "how many elements share a scale, an even number; 4096 for `int8`, 64 for `fp4` and `nf4`"
        ),
        rounding: arguments.optional(
          "rounding",
          .choice,
          default: .nearest,
          help: "which of the two neighbouring codes an element gets"
        )
      )
    }
    filters.register(Dequantize.name, summary: "Undoes `quantize`.") { _ in Dequantize() }
    filters.register(
      TopK.name,
      summary:
        "Sends the largest changes, and what was held back later; `densify` undoes it at the other side."
    ) { arguments in
      let count = try arguments.optional(
        "count",
        Schema<Int>.integer(in: 1...),
        help: "how many elements are sent, in place of `fraction`"
      )
      let fraction = try arguments.optional(
        "fraction",
        .number(above: 0, through: 1),
        default: 0.01,
        help: "the share of the elements that is sent"
      )
      let perTensor = try arguments.optional(
        "per_tensor",
        .boolean,
        default: false,
        help: "so many of each tensor, instead of the model"
      )
      let feedback = try arguments.optional(
        "error_feedback",
        .boolean,
        default: true,
        help: "add what was held back to the next change"
      )
      guard let count else {
        return try TopK(fraction: fraction, perTensor: perTensor, errorFeedback: feedback)
      }
      try arguments.refuse(["fraction"], beside: "count")
      return try TopK(count: count, perTensor: perTensor, errorFeedback: feedback)
    }
    filters.register(Densify.name, summary: "Undoes `top-k`.") { _ in Densify() }
  }
}

extension JobComponents {
  /// The filters, each of which can be told which tasks it is for: what files that list filters can name.
  public var filtersOfTasks: Registry<any Filter> {
    let tasks = tasks
    return filters.changed { filter, arguments in
      try arguments.optional(
        "tasks",
        .list(of: .taskName(among: tasks), count: 1...),
        help: "the tasks that it is for, in place of those that it makes sense for"
      ).map { filter.limited(to: .only(Set($0))) } ?? filter
    }
  }
}

extension Schema where Value == TaskName {
  /// The name of one of these tasks.
  fileprivate static func taskName(among tasks: Set<TaskName>) -> Schema {
    let known = tasks.map { "\($0)" }.sorted()
    return Schema<String>.text.map(allowed: "of \(known.joined(separator: ", "))") { name in
      let task = TaskName(name)
      guard tasks.contains(task) else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "there is no task \(shown(name))\(hint(for: name, among: known))"
        )
      }
      return task
    }
  }
}

extension Mapping {
  /// Refuses keys that another one takes the place of.
  func refuse(_ keys: [String], beside other: String) throws {
    for key in keys where contains(key) {
      throw error(at: key, "cannot be given beside '\(other)'")
    }
  }
}
