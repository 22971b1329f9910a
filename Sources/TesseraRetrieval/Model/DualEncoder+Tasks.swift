extension DualEncoder {
  /// What a model is trained for.
  public enum Task: Sendable, Hashable, CaseIterable {
    /// To match pictures with texts.
    case pictures
    /// To match texts with their translations.
    case translations
  }

  /// The tasks that train a tensor.
  ///
  /// - Parameters:
  ///   - name: The tensor's name in the model's state.
  ///   - heads: By which projections the tasks compare.
  /// - Returns: Both for what they share: the text tower.
  public static func tasks(
    of name: String,
    heads: DualEncoderConfiguration.Heads
  ) -> Set<Task> {
    switch name.split(separator: ".").first {
    case "imageTower", "imageProjection", "pictureScale": [.pictures]
    case "translationProjection", "translationScale": [.translations]
    case "textProjection" where heads == .perTask: [.pictures]
    default: [.pictures, .translations]
    }
  }
}
