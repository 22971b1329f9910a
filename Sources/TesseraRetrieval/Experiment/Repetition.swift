internal import TesseraRun

/// A run that is repeated: how far it had come, and what each checkpoint is compared with.
struct Repetition: Sendable {
  /// What the run did.
  let original: RunManifest
  /// The model's tensors, in their order.
  let tensors: [String]

  /// Ends a repetition.
  struct Differs: Error {
    var difference: RunDifference
  }

  /// How many checkpoints of a training were reached.
  func rounds(of training: String) -> Int {
    original.trainings.first { $0.name == training }?.rounds.count ?? 0
  }

  /// Whether a training came to its end.
  func isWhole(_ training: String) -> Bool {
    original.trainings.contains { $0.name == training && $0.isFinished }
  }

  /// Compares what the repetition has computed so far.
  ///
  /// - Throws: ``Differs`` if something does.
  func check(_ repeated: RunManifest) throws {
    var expected = original
    for (index, training) in repeated.trainings.enumerated() {
      expected.trainings[index].rounds = Array(
        original.trainings[index].rounds.prefix(training.rounds.count)
      )
      if training.modelDigest == nil { expected.trainings[index].modelDigest = nil }
    }
    if let difference = RunDifference.first(
      between: expected,
      and: repeated,
      tensorOrder: tensors
    ) {
      throw Differs(difference: difference)
    }
  }
}
