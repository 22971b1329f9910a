/// Families of languages, as CLDR has languages; of Indo-European, by far the largest, its branches (Hammarström et al., Glottolog).
public enum LanguageFamily: String, Sendable, Hashable, CaseIterable, Codable {
  /// As English and Icelandic.
  case germanic = "Germanic"
  /// As French and Romanian.
  case romance = "Romance"
  /// As Polish and Bulgarian.
  case slavic = "Slavic"
  /// Lithuanian and Latvian.
  case baltic = "Baltic"
  /// As Finnish and Hungarian.
  case uralic = "Uralic"
  /// As Welsh and Irish.
  case celtic = "Celtic"
  /// Greek, Albanian and Armenian, each a branch by itself.
  case paleoBalkan = "Paleo-Balkan"
  /// As Hindi and Persian.
  case indoIranian = "Indo-Iranian"
  /// As Turkish and Uzbek.
  case turkic = "Turkic"
  /// As Arabic, Somali and Hausa.
  case afroAsiatic = "Afro-Asiatic"
  /// As Tamil and Telugu.
  case dravidian = "Dravidian"
  /// As Indonesian and Māori.
  case austronesian = "Austronesian"
  /// As Khmer and Vietnamese.
  case austroasiatic = "Austroasiatic"
  /// As Thai and Lao.
  case kraDai = "Kra-Dai"
  /// As Chinese and Burmese.
  case sinoTibetan = "Sino-Tibetan"
  /// As Swahili and Zulu.
  case atlanticCongo = "Atlantic-Congo"
  /// As Kalaallisut and Inuktitut.
  case eskaleut = "Eskaleut"

  /// Its languages, by their codes.
  public var languages: [String] { mapLanguages + others }

  /// Those of them that are on the map of Europe and Western Asia.
  private var mapLanguages: [String] {
    switch self {
    case .germanic: ["en", "de", "nl", "sv", "da", "no", "is", "af", "lb"]
    case .romance: ["it", "pt", "es", "fr", "ro", "ca", "gl"]
    case .slavic: ["pl", "ru", "cs", "sk", "uk", "be", "bg", "mk", "sr", "hr", "sl"]
    case .baltic: ["lt", "lv"]
    case .uralic: ["fi", "et", "hu"]
    case .celtic: ["cy", "ga", "gd"]
    default: []
    }
  }

  private var others: [String] {
    switch self {
    case .germanic: ["nn", "nb", "fo", "fy", "yi", "nds", "gsw", "pcm"]
    case .romance: ["pt_PT", "ca_valencia", "sc", "ast", "an", "vec", "oc", "fur", "rm", "co"]
    case .slavic: ["bs", "sr_Latn", "dsb", "hsb"]
    case .baltic: []
    case .uralic: ["se", "smn"]
    case .celtic: ["br", "gv", "kw"]
    case .paleoBalkan: ["el", "sq", "hy"]
    case .indoIranian:
      [
        "hi", "bn", "as", "gu", "kok", "mr", "ne", "or", "pa", "pa_Arab", "sd", "si", "ur", "fa",
        "ps", "tg", "ku", "ckb",
      ]
    case .turkic: ["az", "kk", "ky", "tk", "tr", "ug", "uz", "tt", "cv", "ba"]
    case .afroAsiatic: ["am", "ar", "he", "mt", "ti", "kab", "so", "ha", "om"]
    case .dravidian: ["kn", "ml", "ta", "te"]
    case .austronesian: ["fil", "id", "jv", "mi", "ms", "to", "su", "mg", "haw", "ceb"]
    case .austroasiatic: ["km", "vi", "sat"]
    case .kraDai: ["lo", "th"]
    case .sinoTibetan: ["my", "yue", "zh", "zh_Hant", "bo", "mni"]
    case .atlanticCongo:
      ["ig", "rw", "sw", "wo", "xh", "yo", "zu", "ff", "nso", "ak", "st", "tn", "sn", "lg", "ln"]
    case .eskaleut: ["kl", "iu"]
    }
  }

  /// The family of a language; `nil` if it is not known, or has no relative, as Basque.
  public init?(of language: String) {
    guard let family = Self.allCases.first(where: { $0.languages.contains(language) }) else {
      return nil
    }
    self = family
  }

  /// The families that are on the map of Europe and Western Asia.
  static let mapped = allCases.filter { !$0.mapLanguages.isEmpty }

  /// The 35 languages of the map of Europe and Western Asia, family by family.
  public static let allLanguages = mapped.flatMap(\.mapLanguages)
}
